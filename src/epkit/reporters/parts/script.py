"""The script of a page: it shows the values of a chart, under the pointer and with the arrow keys.

The page is complete without it. It is the only script that the page runs: the page's policy names it by its digest, so
code that a reply or a table puts into a text never runs. It takes the values from the text of the page, and inserts
them as text.
"""

import base64
import hashlib
from typing import Final

SCRIPT: Final = """(function(){"use strict";
document.documentElement.classList.add("js");
document.querySelectorAll(".wide").forEach(function(box){if(box.scrollWidth>box.clientWidth)box.tabIndex=0});
document.querySelectorAll("figure.chart").forEach(function(figure){
var svg=figure.querySelector("svg"),points=[],hidden={},now=null;
function add(series,x,y,words){points.push({s:series,x:x,y:y,t:words})}
var table=figure.querySelector(".values");
if(table){var what=table.dataset.x,rows=table.querySelectorAll("tbody tr"),list=table.classList.contains("list");
var heads=table.querySelectorAll("thead th");
svg.querySelectorAll("g[data-s]").forEach(function(group){
var s=+group.dataset.s,said=[],way=group.querySelector(".l,.b").getAttribute("d"),
name=list?rows[s].cells[0].textContent:heads.length>2?heads[s+1].textContent:"";
if(list)rows[s].cells[1].textContent.split("; ").forEach(function(pair){said.push(pair)});
else rows.forEach(function(row){var value=row.cells[s+1].textContent;
if(value)said.push(row.cells[0].textContent+": "+(name?name+" ":"")+value)});
var steps=way.match(/[ML][^ML]+/g)||[];
steps.forEach(function(step,i){var n=step.match(/[\\d.]+/g).map(Number);
if(said[i])add(s,n[0]+(/h/.test(step)?n[2]/2:0),n[1],(what+" "+said[i]).trim()+(list&&name?", "+name:""))})})}
svg.querySelectorAll(".p").forEach(function(mark){
var title=mark.querySelector(":scope>title"),box=(mark.querySelector("circle,rect,line")||mark).getBBox(),words=[];
mark.querySelectorAll("text").forEach(function(t){var whole=t.querySelector("title");
words.push((whole||t).textContent)});
add(+(mark.dataset.s||-1),box.x+box.width/2,box.y+box.height/2,title?title.textContent:words.join(": "))});
if(!points.length)return;
var readout=document.createElement("output");readout.setAttribute("aria-live","polite");svg.after(readout);
var ring=document.createElementNS(svg.namespaceURI,"circle");ring.setAttribute("class","ring");ring.setAttribute("r",6);
function seen(){return points.filter(function(p){return!hidden[p.s]})}
function show(p){now=p;if(!p){readout.textContent="";ring.remove();return}
ring.setAttribute("cx",p.x);ring.setAttribute("cy",p.y);svg.append(ring);readout.textContent=p.t}
function nearest(from,among){var best=null,least=1/0;among.forEach(function(p){
var far=Math.hypot(p.x-from.x,p.y-from.y);if(far<least){least=far;best=p}});return best}
svg.tabIndex=0;svg.setAttribute("role","application");svg.setAttribute("aria-roledescription","chart");
svg.setAttribute("aria-label",svg.getAttribute("aria-label")+". Arrow keys read the values.");
svg.addEventListener("focus",function(){if(!now)show(seen()[0]||null)});
svg.addEventListener("blur",function(){show(null)});
function hover(event){var at=new DOMPoint(event.clientX,event.clientY).matrixTransform(svg.getScreenCTM().inverse());
show(nearest(at,seen()))}
svg.addEventListener("pointermove",hover);svg.addEventListener("pointerdown",hover);
svg.addEventListener("pointerleave",function(){if(document.activeElement!==svg)show(null)});
svg.addEventListener("keydown",function(event){
var key=event.key,all=seen(),kinds=[],at=now||all[0];
if(event.ctrlKey||event.altKey||event.metaKey||!at)return;
all.forEach(function(p){if(kinds.indexOf(p.s)<0)kinds.push(p.s)});
var same=all.filter(function(p){return p.s===at.s}),place=same.indexOf(at),
step={ArrowRight:1,ArrowDown:1,ArrowLeft:-1,ArrowUp:-1}[key],next=null;
if(key==="Escape"){svg.blur();return}
if(key==="Home")next=same[0];else if(key==="End")next=same[same.length-1];else if(!step)return;
else if(/Up|Down/.test(key)&&kinds.length>1){
var other=kinds[(kinds.indexOf(at.s)+step+kinds.length)%kinds.length];
next=nearest({x:at.x,y:at.y},all.filter(function(p){return p.s===other}))}
else next=same[Math.max(0,Math.min(same.length-1,place+step))];
event.preventDefault();show(next)});
figure.querySelectorAll(".legend input").forEach(function(input){
function apply(){hidden[input.dataset.s]=!input.checked;
svg.querySelectorAll('[data-s="'+input.dataset.s+'"]').forEach(function(part){
part.style.display=input.checked?"":"none"});
if(now&&hidden[now.s])show(null)}
input.addEventListener("change",apply);apply()})})})();"""

DIGEST: Final = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
"""SHA-256 of the script, in the form that a policy uses."""
